import { createHash } from 'node:crypto';

const SEVERITIES = ['info', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** An alert as clients see it; times are RFC 3339 text on the engine's clock. */
export type Alert = {
  /** The same for one name and labels, for ever. */
  fingerprint: string;
  name: string;
  severity: Severity;
  state: 'firing' | 'resolved';
  labels: Record<string, string>;
  value: number | null;
  threshold: number;
  starts_at: string;
  ends_at: string | null;
  /** The fingerprint of a firing alert that says this one's news already. */
  inhibited_by: string | null;
  /** What the value was made of. */
  evidence: object;
};

/** An alert's change of state, as it is sent; `offset` is its place among all changes under this epoch. */
export type AlertEvent = { type: 'alert'; epoch: string; offset: number; alert: Alert };

export function isAtLeast(severity: Severity, least: Severity | null): boolean {
  return least === null || SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
}

/** 16 hexadecimal digits. */
export function fingerprintOf(name: string, labels: Record<string, string>): string {
  const sorted = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([name, sorted]))
    .digest('hex')
    .slice(0, 16);
}

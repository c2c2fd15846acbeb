import type { Micros } from '../clock.ts';
import { formatTime } from '../wire/time.ts';
import { type Alert, type AlertEvent, fingerprintOf, isAtLeast, type Severity } from './alert.ts';
import { Lifecycle, type LifecycleState, type Rule } from './lifecycle.ts';
import { AlertRing } from './ring.ts';

const PART_RULE = { inclusive: false, fireAfterTicks: 3, clearBelow: 0.8, clearAfterTicks: 5 };
/** The parts are held back already, so the whole follows them at once. */
const WHOLE_RULE = { inclusive: true, fireAfterTicks: 1, clearBelow: 1, clearAfterTicks: 1 };

interface Subject {
  name: string;
  labels: Record<string, string>;
  severity: Severity;
  threshold: number;
}

/** What one tick says of one thing that may alert. */
export interface Reading extends Subject {
  /** Above the threshold is bad; null: nothing can be said. */
  value: number | null;
  evidence: object;
}

/** Readings of one tick, and an alert that fires while at least `whole.threshold` of them do and then inhibits them. */
export interface Observation {
  parts: Reading[];
  whole: Subject;
}

/** Where alerts are kept. */
export interface AlertStore {
  /** Resolves when they are durable, with the offset of the last; calls resolve in order. */
  appendAlerts(bodies: string[]): Promise<number>;
}

/** A connection that hears of alerts. */
export interface Listener {
  control(message: object): void;
  flush(): void;
}

export interface AlertsOptions {
  ringMax: number;
  /** What the store kept: the texts of the newest alerts, the last of which has `offset`. */
  past: { epoch: string; offset: number; bodies: string[] };
  store: AlertStore;
  /** Alerts could not be stored; they are kept, and sent once they are. */
  onError: (error: unknown) => void;
}

export interface WatchRequest {
  /** Null: all. */
  severity: Severity | null;
  resume: { epoch: string; offset: number } | null;
}

interface Watching {
  epoch: string;
  offset: number;
  /** Every alert since the one named stands in `missed`. */
  resumed: boolean;
  firing: Alert[];
  /** Oldest first. */
  missed: AlertEvent[];
}

interface Tracked {
  lifecycle: Lifecycle;
  /** Null unless it fires. */
  alert: Alert | null;
}

/**
 * All alerts: their life cycles, their durable past, and who hears of them. An alert is an event: it is sent once it is
 * durable, to everyone, in order, and never merged with another.
 */
export class Alerts {
  readonly #ring: AlertRing;
  readonly #ringMax: number;
  readonly #epoch: string;
  readonly #store: AlertStore;
  readonly #onError: (error: unknown) => void;
  readonly #tracked = new Map<string, Tracked>();
  /** Those that fired when the log was closed and that nobody has observed since. */
  readonly #restored = new Map<string, Alert>();
  readonly #listeners = new Map<Listener, Severity | null>();
  /** Texts that are not durable yet. */
  #unstored: string[] = [];
  #storing = false;

  constructor({ ringMax, past, store, onError }: AlertsOptions) {
    this.#epoch = past.epoch;
    this.#store = store;
    this.#onError = onError;
    this.#ringMax = ringMax;
    const first = past.offset - past.bodies.length + 1;
    const events = past.bodies.map((body, i) => this.#event(first + i, body));
    this.#ring = new AlertRing(ringMax, events, past.offset);
    for (const { alert } of events) {
      if (alert.state === 'firing') this.#restored.set(alert.fingerprint, alert);
      else this.#restored.delete(alert.fingerprint);
    }
  }

  /**
   * One tick of some alerts.
   * @returns the state of each part
   */
  observe({ parts, whole }: Observation, asOf: Micros): LifecycleState[] {
    const changed: Alert[] = [];
    const tracked = parts.map((part) => this.#step(part, PART_RULE, asOf, changed));
    const firing = tracked.flatMap(({ alert }) => alert ?? []);
    const wholeReading = { ...whole, value: firing.length, evidence: { firing: firing.map(partOf) } };
    const { alert } = this.#step(wholeReading, WHOLE_RULE, asOf, changed);
    for (const part of firing) part.inhibited_by = alert?.fingerprint ?? null;
    this.#publish(changed);
    return tracked.map(({ lifecycle }) => lifecycle.state);
  }

  /** Resolves the firing alerts of things that are no more. */
  retire(isKnown: (alert: Alert) => boolean, asOf: Micros): void {
    const gone = this.firing().filter((alert) => !isKnown(alert));
    for (const alert of gone) {
      this.#tracked.delete(alert.fingerprint);
      this.#restored.delete(alert.fingerprint);
    }
    this.#publish(gone.map((alert) => resolved(alert, asOf)));
  }

  firing(): Alert[] {
    const observed = [...this.#tracked.values()].flatMap(({ alert }) => alert ?? []);
    return [...this.#restored.values(), ...observed];
  }

  /** Sends what comes from now on to the listener; a second call replaces the first. */
  watch(listener: Listener, { severity, resume }: WatchRequest): Watching {
    this.#listeners.set(listener, severity);
    const missed = resume?.epoch === this.#epoch ? this.#ring.after(resume.offset) : null;
    return {
      epoch: this.#epoch,
      offset: this.#ring.offset,
      resumed: missed !== null,
      firing: this.firing().filter((alert) => isAtLeast(alert.severity, severity)),
      missed: (missed ?? []).filter(({ alert }) => isAtLeast(alert.severity, severity)),
    };
  }

  unwatch(listener: Listener): void {
    this.#listeners.delete(listener);
  }

  /** What `GET /alerts` shows. */
  answer(): { epoch: string; offset: number; firing: Alert[]; recent: Omit<AlertEvent, 'type'>[] } {
    const recent = this.#ring.events.map(({ epoch, offset, alert }) => ({ epoch, offset, alert }));
    return { epoch: this.#epoch, offset: this.#ring.offset, firing: this.firing(), recent };
  }

  /** @param changed takes the alert where this tick fired or resolved it */
  #step(reading: Reading, rule: Omit<Rule, 'threshold'>, asOf: Micros, changed: Alert[]): Tracked {
    const tracked = this.#track(reading, rule);
    const { value, threshold, evidence } = reading;
    const outcome = tracked.lifecycle.step(value);
    if (tracked.alert !== null && value !== null) tracked.alert = { ...tracked.alert, value, evidence };
    if (outcome === 'fired') {
      const { name, labels, severity } = reading;
      tracked.alert = {
        fingerprint: fingerprintOf(name, labels),
        name,
        severity,
        state: 'firing',
        labels,
        value,
        threshold,
        starts_at: formatTime(asOf),
        ends_at: null,
        inhibited_by: null,
        evidence,
      };
      changed.push(tracked.alert);
    } else if (outcome === 'resolved') {
      changed.push(resolved(tracked.alert!, asOf));
      tracked.alert = null;
    }
    return tracked;
  }

  #track({ name, labels, threshold }: Reading, rule: Omit<Rule, 'threshold'>): Tracked {
    const fingerprint = fingerprintOf(name, labels);
    let tracked = this.#tracked.get(fingerprint);
    if (tracked === undefined) {
      const alert = this.#restored.get(fingerprint) ?? null;
      this.#restored.delete(fingerprint);
      const lifecycle = new Lifecycle({ ...rule, threshold }, alert === null ? 'inactive' : 'firing');
      tracked = { lifecycle, alert };
      this.#tracked.set(fingerprint, tracked);
    }
    return tracked;
  }

  #publish(changed: Alert[]): void {
    this.#unstored.push(...changed.map((alert) => JSON.stringify(alert)));
    if (this.#unstored.length === 0 || this.#storing) return;
    const bodies = this.#unstored;
    this.#unstored = [];
    this.#storing = true;
    this.#store.appendAlerts(bodies).then(
      (offset) => {
        this.#storing = false;
        this.#send(bodies.map((body, i) => this.#event(offset - bodies.length + 1 + i, body)));
        this.#publish([]);
      },
      (error: unknown) => {
        // Tried again with the next tick. What is not stored has no offset that a client could resume from.
        this.#storing = false;
        this.#unstored = [...bodies, ...this.#unstored].slice(-this.#ringMax);
        this.#onError(error);
      },
    );
  }

  #send(events: AlertEvent[]): void {
    for (const event of events) this.#ring.add(event);
    for (const [listener, severity] of this.#listeners) {
      for (const event of events) {
        if (isAtLeast(event.alert.severity, severity)) listener.control(event);
      }
      listener.flush();
    }
  }

  #event(offset: number, body: string): AlertEvent {
    return { type: 'alert', epoch: this.#epoch, offset, alert: JSON.parse(body) as Alert };
  }
}

function resolved(alert: Alert, asOf: Micros): Alert {
  return { ...alert, state: 'resolved', ends_at: formatTime(asOf) };
}

function partOf({ fingerprint, labels, value }: Alert): object {
  return { fingerprint, labels, value };
}

import { readFileSync } from 'node:fs';

export interface ProcessUsage {
  /** User and system time since its start. */
  cpu_seconds: number;
  /** Resident size. */
  rss_bytes: number;
}

/** Linux gives times in `/proc` in hundredths of a second to every program. */
const TICKS_PER_SECOND = 100;

/** CPU and memory of a process; null where there is no such process, or no `/proc`. */
export function processUsage(pid: number): ProcessUsage | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the program's name in parentheses and may hold anything; the third starts after it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const resident = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return {
      cpu_seconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
      rss_bytes: Number(resident?.[1] ?? 0) * 1024,
    };
  } catch {
    return null; // it ended between two looks
  }
}

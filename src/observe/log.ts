import { type DestinationStream, type Logger, pino } from 'pino';
import type { Config } from '../config.ts';

const STDERR = 2;

/** The engine's log: one JSON object a line, on stderr unless told otherwise, so that stdout stays the command's own. */
export function createLog(config: Pick<Config, 'log_level'>, destination?: DestinationStream): Logger {
  return pino(
    {
      level: config.log_level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    // Written at once: the last line before a crash is the one that matters.
    destination ?? pino.destination({ dest: STDERR, sync: true }),
  );
}

/**
 * `make bench`: each question with its floor beside it; prints a table and appends one line to results.ndjson.
 * Names of questions as arguments run only those.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { entities } from './entities.ts';
import { type Figure, reached } from './figure.ts';
import { type Engine, startEngine } from './flights.ts';
import { httpHit, wsHit } from './hit.ts';
import { kernels } from './kernels.ts';
import { commit, here, machine, pin } from './machine.ts';
import { miss } from './miss.ts';
import { push } from './push.ts';
import { replies } from './replies.ts';
import { start } from './start.ts';

const alone: Record<string, () => Promise<Figure[]>> = { start, push, replies, kernels, entities };
const onFlights: Record<string, (engine: Engine) => Promise<Figure[]>> = {
  http: httpHit,
  ws: async (engine) => [...(await wsHit(engine, 1)), ...(await wsHit(engine, 16))],
};
/** These open the log of the flights by themselves. */
const onData: Record<string, (data: string) => Promise<Figure[]>> = { miss };

const known = [alone, onFlights, onData].flatMap((questions) => Object.keys(questions));
const asked = process.argv.slice(2);
const unknown = asked.filter((name) => !known.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`bench: there is no question '${unknown[0]}'; there are: ${known.join(', ')}\n`);
  process.exit(2);
}
const wanted = (name: string) => asked.length === 0 || asked.includes(name);

const figures: Figure[] = [];
for (const [name, question] of Object.entries(alone)) {
  if (wanted(name)) take(await question());
}
if ([...Object.keys(onFlights), ...Object.keys(onData)].some(wanted)) {
  const data = here('../.data/bench');
  mkdirSync(data, { recursive: true });
  // Values do not grow old while they are measured: nothing is ingested and the clock is that of the events.
  const engine = await startEngine(data);
  pin(engine.pid, '0');
  try {
    for (const [name, question] of Object.entries(onFlights)) {
      if (wanted(name)) take(await question(engine));
    }
  } finally {
    await engine.close();
  }
  for (const [name, question] of Object.entries(onData)) {
    if (wanted(name)) take(await question(data));
  }
}

const run = { at: new Date().toISOString(), commit: commit(), machine: machine(), figures };
appendFileSync(here('results.ndjson'), `${JSON.stringify(run)}\n`);
const missed = figures.filter((figure) => reached(figure) === false);
process.stdout.write(`\n${missed.length === 0 ? 'Every target reached.' : `${missed.length} target(s) missed.`}\n`);

function take(taken: Figure[]): void {
  for (const figure of taken) {
    figures.push(figure);
    const { target } = figure;
    const verdict = target
      ? ` (at ${target.at} ${target.value} ${figure.unit}: ${reached(figure) ? 'reached' : 'MISSED'})`
      : '';
    const value = figure.value >= 100 ? Math.round(figure.value).toLocaleString('en') : figure.value.toPrecision(3);
    process.stdout.write(
      `${figure.question.padEnd(32)} ${figure.name.padEnd(54)} ${value.padStart(9)} ${figure.unit}${verdict}\n`,
    );
  }
}

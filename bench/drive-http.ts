/** autocannon in a process of its own. Arguments: one JSON object; the result goes to the parent by IPC. */
import autocannon from 'autocannon';

export interface Drive {
  url: string;
  body: string;
  connections: number;
  seconds: number;
}

export interface Driven {
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
  failed: number;
}

const drive = JSON.parse(process.argv[2]!) as Drive;
const result = await autocannon({
  url: drive.url,
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: drive.body,
  connections: drive.connections,
  duration: drive.seconds,
});
const driven: Driven = {
  perSecond: result.requests.total / result.duration,
  p50Ms: result.latency.p50,
  p99Ms: result.latency.p99,
  failed: result.non2xx + result.errors + result.timeouts,
};
process.send!(driven, () => process.exit(0));

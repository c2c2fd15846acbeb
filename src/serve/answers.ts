import { asHeadraceError } from '../wire/checks.ts';
import type { Answer, FeatureService, Reply } from '../wire/service.ts';
import type { Query } from './query.ts';
import type { Replies } from './replies.ts';
import type { Serve } from './serve.ts';
import type { ReplyCollector } from './text-collector.ts';

/** Requests for features as the edges ask them: a query in, the text of its rows out. */
export class Answers implements Omit<FeatureService, 'resolve'> {
  readonly #serve: Serve;
  readonly #replies: Replies;

  constructor(serve: Serve, replies: Replies) {
    this.#serve = serve;
    this.#replies = replies;
  }

  hot({ view, select, entityIds, asOf, position, minPosition }: Query): string | null {
    const plain = select === null && asOf === null && position === null && minPosition === 0;
    return plain && entityIds.length === 1 ? this.#serve.hotText(view, entityIds[0]!) : null;
  }

  answer(query: Query, done: Reply<Answer>): void {
    const collector = this.#replies.collector(query.view, query.select, query.entityIds);
    try {
      this.#serve.get(query, collector, () => finish(collector, done));
    } catch (error) {
      done(asHeadraceError(error), null);
    }
  }
}

function finish(collector: ReplyCollector, done: Reply<Answer>): void {
  const { state, failure } = collector;
  const rows = collector.rows();
  if (typeof rows === 'string') {
    done(null, { rows, state, failed: failure });
    return;
  }
  rows.then(
    (bytes) => done(null, { rows: bytes, state, failed: failure }),
    (error: unknown) => done(asHeadraceError(error), null),
  );
}

/** What `push` needs of a connection; it never sees a socket. */
export interface Sink {
  /** The connection's buffered bytes are over the watermark: updates must wait and be conflated. */
  readonly congested: boolean;
  /** Queue one complete WebSocket frame; it leaves with the flush of this turn. The buffer is shared: never written to. */
  update(frame: Buffer): void;
  /** Queue a control message for this connection alone (`lagged`, `end`). */
  control(message: object): void;
  /** Write what is queued, in one write. */
  flush(): void;
}

/** How frames travel between the engine and its workers. */

export interface LinkHandlers {
  /** A whole frame came. The bytes are the receiver's own: nobody writes to them again. */
  received(identity: string, frame: Uint8Array): void;
  /** A frame could not be handed to this worker, or the link itself failed (`identity` is null). */
  unreachable(identity: string | null, error: Error): void;
}

export interface Link {
  /** Where workers connect to. */
  readonly address: string;
  open(handlers: LinkHandlers): Promise<void>;
  /**
   * Hands a frame over; it must not be written to afterwards. What cannot be delivered is told by `unreachable`,
   * never lost in silence.
   */
  send(identity: string, frame: Uint8Array): void;
  close(): Promise<void>;
}

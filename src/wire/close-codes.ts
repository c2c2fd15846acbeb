/**
 * Why the server closes a WebSocket. A 45xx always means that reconnecting is right; a client that wants no table reads
 * `reconnect` and `after_ms` of the `goodbye` before it.
 */
export const CLOSE_CODES = {
  1007: { name: 'invalid_utf8', reconnect: false, meaning: 'A text frame is not UTF-8' },
  1009: { name: 'too_large', reconnect: false, meaning: 'A message is larger than `message_bytes_max`' },
  1011: { name: 'unexpected', reconnect: true, meaning: 'The server met a condition that it did not expect' },
  4400: { name: 'bad_messages', reconnect: false, meaning: 'Ten messages in a row could not be read' },
  4401: {
    name: 'unauthenticated',
    reconnect: true,
    meaning: 'The token is missing or expired: refresh it, then retry',
  },
  4403: { name: 'forbidden', reconnect: false, meaning: 'The token does not permit this' },
  4406: { name: 'subprotocol', reconnect: false, meaning: 'None of the subprotocols offered is spoken here' },
  4408: { name: 'hello_timeout', reconnect: true, meaning: 'No `hello` came in time' },
  4429: { name: 'over_limit', reconnect: true, meaning: 'A limit was passed: back off, then reconnect' },
  4500: { name: 'internal', reconnect: true, meaning: 'The server failed on this connection' },
  4503: { name: 'draining', reconnect: true, meaning: 'The server is shutting down' },
  4508: { name: 'too_slow', reconnect: true, meaning: 'The client reads more slowly than replies are made for it' },
} as const satisfies Record<number, { name: string; reconnect: boolean; meaning: string }>;

export type CloseCode = keyof typeof CLOSE_CODES;

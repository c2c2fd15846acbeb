/**
 * The one table of error codes, for WebSocket, HTTP, rows and events alike.
 *
 * Match on `code`, never on a class or a message. `temporary` says that the same request may succeed later;
 * `http` is the status of the problem document (RFC 9457) that carries the code.
 */
export const ERRORS = {
  malformed_json: { http: 400, temporary: false, title: 'The text is not JSON' },
  bad_request: { http: 400, temporary: false, title: 'The message does not have the documented shape' },
  unknown_type: { http: 400, temporary: false, title: 'No message has this type' },
  not_found: { http: 404, temporary: false, title: 'No route has this path' },
  method_not_allowed: { http: 405, temporary: false, title: 'The route does not take this method' },
  unknown_view: { http: 404, temporary: false, title: 'The registry has no such view' },
  unknown_version: { http: 404, temporary: false, title: 'The view has no such version' },
  unknown_feature: { http: 404, temporary: false, title: 'The view version has no such feature' },
  unknown_service: { http: 404, temporary: false, title: 'The registry has no such feature service' },
  unknown_input: { http: 404, temporary: false, title: 'The view version takes no such input of requests' },
  unknown_source: { http: 404, temporary: false, title: 'The registry has no such source' },
  unknown_topic: { http: 404, temporary: false, title: 'This connection has no such topic' },
  version_removed: { http: 409, temporary: false, title: 'The view version is served no more' },
  definition_changed: { http: 409, temporary: true, title: 'The view version means something else now; ask again' },
  too_large: { http: 413, temporary: false, title: 'The message is larger than the limit' },
  too_many: { http: 413, temporary: false, title: 'The message holds more items than the limit' },
  unsupported_media_type: { http: 415, temporary: false, title: 'The route does not take this content type' },
  invalid_entity_id: { http: 422, temporary: false, title: 'The entity id is empty, too long or not text' },
  invalid_time: { http: 422, temporary: false, title: 'The time is not ISO 8601 or epoch milliseconds' },
  invalid_input: { http: 422, temporary: false, title: 'The input of the request is not of its declared type' },
  as_of_out_of_history: { http: 422, temporary: false, title: 'The time lies before the history that is kept' },
  unknown_position: { http: 422, temporary: false, title: 'The log has not reached this position' },
  unsupported: { http: 422, temporary: false, title: 'This server does not offer what was asked' },
  invalid_registry: { http: 422, temporary: false, title: 'The registry cannot take over; the one before serves on' },
  batch_conflict: { http: 422, temporary: false, title: 'The batch key was used before with other events' },
  overloaded: { http: 429, temporary: true, title: 'Too much is in flight; slow down' },
  unavailable: { http: 503, temporary: true, title: 'No value could be had within the deadline' },
  store_unavailable: { http: 503, temporary: true, title: 'The log cannot be written or read' },
  draining: { http: 503, temporary: true, title: 'The server is shutting down' },
  internal: { http: 500, temporary: true, title: 'The server failed' },
  // Rejections of single events; the others in the batch are taken.
  not_an_object: { http: 422, temporary: false, title: 'The event is not an object' },
  missing_key: { http: 422, temporary: false, title: 'The event lacks a key column' },
  missing_timestamp: { http: 422, temporary: false, title: 'The event lacks its timestamp' },
  invalid_field: { http: 422, temporary: false, title: 'The field is not of its declared type' },
  not_finite: { http: 422, temporary: false, title: 'The field is NaN or infinite' },
  too_far_ahead: { http: 422, temporary: false, title: 'The event lies further ahead of the clock than max_ahead' },
} as const satisfies Record<string, { http: number; temporary: boolean; title: string }>;

export type ErrorCode = keyof typeof ERRORS;

/** What an `error` message, an error row and a problem document carry. */
export interface ErrorBody {
  code: ErrorCode;
  message: string;
  temporary: boolean;
  retry_after_ms?: number;
  data?: unknown;
}

export interface ErrorDetails {
  retryAfterMs?: number;
  data?: unknown;
  cause?: unknown;
}

export class HeadraceError extends Error {
  override readonly name = 'HeadraceError';
  readonly code: ErrorCode;
  readonly retryAfterMs: number | undefined;
  readonly data: unknown;

  /** @param message what was found, what was expected and what to do about it, in one sentence */
  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.retryAfterMs = details.retryAfterMs;
    this.data = details.data;
  }

  get temporary(): boolean {
    return ERRORS[this.code].temporary;
  }

  get http(): number {
    return ERRORS[this.code].http;
  }

  body(): ErrorBody {
    const body: ErrorBody = { code: this.code, message: this.message, temporary: this.temporary };
    if (this.retryAfterMs !== undefined) body.retry_after_ms = this.retryAfterMs;
    if (this.data !== undefined) body.data = this.data;
    return body;
  }
}

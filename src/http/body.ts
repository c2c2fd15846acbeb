/** Bodies: JSON as bytes, streams as they come. */
import { isUtf8 } from 'node:buffer';
import { Readable } from 'node:stream';
import { HeadraceError } from '../errors.ts';

/** @param body as the content type parsers leave it: bytes of a JSON body, or a stream */
export function parseJson(body: unknown): unknown {
  if (!(body instanceof Buffer)) {
    throw new HeadraceError('unsupported_media_type', 'the route takes JSON; send content-type: application/json');
  }
  if (body.length === 0) throw new HeadraceError('malformed_json', 'the body is empty; expected JSON');
  if (!isUtf8(body)) throw new HeadraceError('malformed_json', 'the body is not UTF-8; JSON must be');
  try {
    return JSON.parse(body.toString());
  } catch (error) {
    throw new HeadraceError('malformed_json', `the body is not JSON: ${(error as Error).message}`);
  }
}

export const isStream = (body: unknown): body is Readable => body instanceof Readable;

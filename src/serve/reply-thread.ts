/** Piscina task: the text of a large reply, away from the main thread. Its bytes go back by transfer. */
import { move } from 'piscina';
import { type ReplyColumns, replyText } from './reply-columns.ts';

export default function replyThread(columns: ReplyColumns): unknown {
  return move(new TextEncoder().encode(replyText(columns)));
}

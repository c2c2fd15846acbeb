/** Why a text cannot be an entity id; null where it can. */
export function entityIdProblem(text: string, bytesMax: number): string | null {
  if (text.length === 0) return 'an entity id is never empty';
  if (text.length * 3 > bytesMax) {
    const bytes = Buffer.byteLength(text);
    if (bytes > bytesMax) return `the entity id has ${bytes} bytes, the limit is ${bytesMax}`;
  }
  let plain = true;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x20 || unit === 0x7f) return `the entity id ${JSON.stringify(text)} has a control character`;
    if (unit >= 0xd800) plain = false;
  }
  // Half a surrogate pair has no UTF-8: two such ids would become the same text in the log.
  return plain || text.isWellFormed() ? null : 'the entity id is no well-formed Unicode';
}

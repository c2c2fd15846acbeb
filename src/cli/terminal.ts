/** What a command writes to; the process's own streams outside tests. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** Whether `out` is a screen that can be redrawn. */
  interactive: boolean;
  columns: number;
}

export const processTerminal: Terminal = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  interactive: process.stdout.isTTY === true,
  columns: process.stdout.columns ?? 100,
};

/** A feature's value as a person reads it; `–` is null. */
export function cell(value: unknown): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(8)));
  return String(value);
}

/** What an answer says of its version where that is deprecated. */
export const deprecation = (of: { view?: string; version?: string; deprecated?: string }): string =>
  `${of.view}@${of.version} is deprecated from ${of.deprecated}; ask for another version`;

/** Rows of cells as aligned columns; the first row is the heading, all columns but the first are flush right. */
export function table(rows: string[][]): string {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((text, i) => {
      widths[i] = Math.max(widths[i] ?? 0, text.length);
    });
  const line = (row: string[]) =>
    row
      .map((text, i) => (i === 0 ? text.padEnd(widths[i]!) : text.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  return `${rows.map(line).join('\n')}\n`;
}

import { printable } from './printable.js';

export interface Column<Row> {
  readonly title: string;
  /** What stands in a row; `-` is shown for nothing (an empty text, null, undefined). */
  readonly cell: (row: Row) => string | number | null | undefined;
  /** Numbers and sizes stand at the right. */
  readonly right?: boolean;
}

/** Lines of a table: a line of titles, then one for each row; columns aligned, two spaces apart. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = rows.map((row) => columns.map((column) => cellText(column.cell(row))));
  const all = [columns.map(({ title }) => title), ...cells];
  const widths = columns.map((_, i) => Math.max(...all.map((line) => textWidth(line[i]!))));
  return all.map((line) =>
    line
      .map((text, i) => aligned(text, widths[i]!, columns[i]!.right ?? false))
      .join('  ')
      .trimEnd(),
  );
}

/** `Name:  value` lines with the values below each other; for one thing in detail. */
export function fieldLines(
  fields: readonly (readonly [string, string | number | null])[],
): string[] {
  const width = Math.max(...fields.map(([name]) => name.length)) + 1;
  return fields.map(([name, value]) => `${`${name}:`.padEnd(width)}  ${cellText(value)}`);
}

function cellText(value: string | number | null | undefined): string {
  return value === null || value === undefined || value === '' ? '-' : printable(String(value));
}

function aligned(text: string, width: number, right: boolean): string {
  const gap = ' '.repeat(width - textWidth(text));
  return right ? gap + text : text + gap;
}

/** Characters, not UTF-16 units; marks that stand on the letter before take no room. */
function textWidth(text: string): number {
  return [...text.replace(/\p{Mn}/gu, '')].length;
}

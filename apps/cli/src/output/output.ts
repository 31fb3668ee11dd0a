import { tableLines, type Column } from './table.js';

/** Where text goes: standard output or standard error. */
export interface Sink {
  write(text: string): void;
  /** Resolves when what was written has gone to whoever reads it: a pipe takes it as fast as it is read. */
  flushed?(): Promise<void>;
  readonly isTerminal: boolean;
  /** Width in characters; meaningless where it is no terminal. */
  readonly columns: number;
}

const ERASE_LINE = '\r\u001b[K';

/** Everything that a command says. Data goes to standard output, remarks to standard error. */
export class Output {
  constructor(
    readonly out: Sink,
    readonly err: Sink,
    private readonly options: { readonly json: boolean; readonly plain: boolean },
  ) {}

  get json(): boolean {
    return this.options.json;
  }

  /** True if lines may be overwritten and coloured. */
  get lively(): boolean {
    return this.out.isTerminal && !this.options.json && !this.options.plain;
  }

  line(text = ''): void {
    this.out.write(`${text}\n`);
  }

  lines(texts: readonly string[]): void {
    if (texts.length > 0) this.out.write(`${texts.join('\n')}\n`);
  }

  table<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
    this.lines(tableLines(columns, rows));
  }

  /** A remark for people, on standard error; none with `--json`. */
  remark(text: string): void {
    if (!this.options.json) this.err.write(`${text}\n`);
  }

  /** The one JSON document of a command; indented for a reader at a terminal. */
  document(value: unknown): void {
    this.line(JSON.stringify(value, null, this.out.isTerminal ? 2 : undefined));
  }

  /** One line of several (NDJSON). */
  record(value: unknown): void {
    this.line(JSON.stringify(value));
  }

  /** Replaces the line that the last call left at the end; an empty text only erases it. */
  liveLine(text: string): void {
    this.out.write(ERASE_LINE + text);
  }

  /** Gives a text a colour, where that is wanted. */
  coloured(text: string, colour: 'red' | 'green' | 'yellow'): string {
    const code = { red: 31, green: 32, yellow: 33 }[colour];
    return this.lively ? `\u001b[${code}m${text}\u001b[39m` : text;
  }
}

import type { EntityManager } from 'typeorm';
import { LINE_CHARACTERS_MAX, type LogLine } from '#contracts/job.js';
import { prepared } from '#outbox/prepared.js';

export interface LoggedLine {
  readonly job: number;
  readonly line: LogLine;
}

const TYPES = ['bigint', 'timestamptz', 'int', 'text', 'text', 'int', 'text', 'text'];

/** Takes `appendValues`, behind so many other parameters. */
export function appendSql(behind: number): string {
  return `INSERT INTO job_log (job, at, attempt, process, host, pid, severity, text)
    SELECT * FROM unnest(${TYPES.map((type, index) => `$${behind + index + 1}::${type}[]`).join()})`;
}

const APPEND = prepared(appendSql(0));

export function appendValues(lines: readonly LoggedLine[]): unknown[] {
  const column = <T>(value: (line: LogLine) => T) => lines.map(({ line }) => value(line));
  return [
    lines.map(({ job }) => job),
    column(({ at }) => at),
    column(({ attempt }) => attempt),
    column((line) => line.process),
    column(({ host }) => host ?? null),
    column(({ pid }) => pid),
    column(({ severity }) => severity),
    column(({ text }) => cut(text)),
  ];
}

/** No longer lines may be shown. */
function cut(text: string): string {
  return text.slice(0, LINE_CHARACTERS_MAX);
}

/** The SQL about the logs of jobs. */
export class JobLog {
  constructor(private readonly db: EntityManager) {}

  async append(lines: readonly LoggedLine[]): Promise<void> {
    if (lines.length > 0) await this.db.query(APPEND, appendValues(lines));
  }

  async read(job: number, { after, limit }: { after: number; limit: number }): Promise<LogLine[]> {
    const rows: (Omit<LogLine, 'at' | 'host'> & { at: Date; host: string | null })[] =
      await this.db.query(
        `SELECT at, attempt, process, host, pid, severity, text FROM job_log
         WHERE job = $1 ORDER BY line OFFSET $2 LIMIT $3`,
        [job, after, limit],
      );
    return rows.map(({ host, ...row }) => ({
      ...row,
      ...(host === null ? {} : { host }),
      // Earlier releases saved longer ones.
      text: cut(row.text),
      at: row.at.toISOString(),
    }));
  }

  async length(job: number): Promise<number> {
    const [row]: { count: string }[] = await this.db.query(
      'SELECT count(*) FROM job_log WHERE job = $1',
      [job],
    );
    return Number(row?.count ?? 0);
  }
}

const MARK = '/* prepared */ ';

/**
 * A statement that each connection has planned once and not anew each time, which for a large one is most of
 * what it costs. Only for those that find every table by a key: a plan that was made while a table was empty
 * stays in use until PostgreSQL has analyzed it.
 */
export function prepared(statement: string): string {
  return `${MARK}${statement}`;
}

export function isPrepared(statement: string): boolean {
  return statement.startsWith(MARK);
}

/** Whether a subject fits a pattern of the broker: `*` is one token, `>` at the end one or more. */
export function subjectMatches(pattern: string, subject: string): boolean {
  if (pattern.endsWith('.>') && !pattern.includes('*')) {
    return subject.startsWith(pattern.slice(0, -1)) && subject.length > pattern.length - 1;
  }
  const wanted = pattern.split('.');
  const tokens = subject.split('.');
  for (const [index, token] of wanted.entries()) {
    if (token === '>') return tokens.length > index;
    if (tokens[index] === undefined || (token !== '*' && token !== tokens[index])) return false;
  }
  return tokens.length === wanted.length;
}

import { NEW_STREAM, type PolicySpec } from '#contracts/policy.js';

export interface ClientFiles {
  /** Of all streams together. */
  readonly selections: string[];
  readonly excludes: string[];
  /** Where there are several: the selections of each. */
  readonly streams?: string[][];
}

/** What a policy backs up of a client: its own lists where it has some, and in which streams. */
export function filesOf(policy: PolicySpec, client: string): ClientFiles {
  const own = policy.perClient?.[client];
  const lines = own?.selections ?? policy.selections;
  const excludes = own?.excludes ?? policy.excludes;
  const selections = lines.filter((line) => line !== NEW_STREAM);
  const streams = policy.multipleStreams ? streamsOf(lines) : [];
  return { selections, excludes, ...(streams.length > 1 ? { streams } : {}) };
}

/** The parts between `NEW_STREAM` lines; without any such line each selection is a stream. */
function streamsOf(lines: readonly string[]): string[][] {
  if (!lines.includes(NEW_STREAM)) return lines.map((line) => [line]);
  const streams: string[][] = [[]];
  for (const line of lines) {
    if (line === NEW_STREAM) streams.push([]);
    else streams.at(-1)!.push(line);
  }
  return streams.filter((stream) => stream.length > 0);
}

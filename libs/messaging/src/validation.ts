import type { z } from 'zod';
import { InvalidInput } from '#kernel/errors.js';

/** Parses input; what is wrong is named by its place (`policy.clients[0]`) and what is allowed. */
export function parseInput<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = issue ? fieldOf(issue.path) : '';
  const more = result.error.issues.length - 1;
  throw new InvalidInput(
    `${field ? `${field}: ` : ''}${issue?.message ?? 'not allowed'}${more > 0 ? ` (and ${more} more)` : ''}`,
    field || undefined,
  );
}

function fieldOf(path: readonly PropertyKey[]): string {
  return path.reduce<string>(
    (text, part) =>
      typeof part === 'number'
        ? `${text}[${part}]`
        : text
          ? `${text}.${String(part)}`
          : String(part),
    '',
  );
}

import { isDeepStrictEqual } from 'node:util';

/** One field that is not what it was; `old` or `new` is undefined where there is no such field. */
export interface Difference {
  /** `schedules.daily.frequency`. */
  readonly field: string;
  readonly old: unknown;
  readonly new: unknown;
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Field by field, down to values and lists of values. The elements of a list that have names are
 * compared by name, so that a schedule that moved is not another one.
 */
export function differences(before: unknown, after: unknown, field = ''): Difference[] {
  if (isDeepStrictEqual(before, after)) return [];
  if (isFields(before) && isFields(after)) return ofFields(before, after, field);
  const [old, new_] = [byName(before), byName(after)];
  if (old && new_) {
    const found = ofFields(old, new_, field);
    return found.length > 0 ? found : [order(field, old, new_)];
  }
  return [{ field, old: before, new: after }];
}

/** `jobsMax: 4 -> 8`; of long lists what came and what went. */
export function differenceText({ field, old, new: now }: Difference): string {
  if (Array.isArray(old) && Array.isArray(now) && isPlain(old) && isPlain(now)) {
    const added = now.filter((one) => !old.includes(one)).map((one) => `+${one}`);
    const gone = old.filter((one) => !now.includes(one)).map((one) => `-${one}`);
    if (added.length + gone.length > 0) return `${field}: ${[...added, ...gone].join(' ')}`;
  }
  return `${field}: ${valueText(old)} -> ${valueText(now)}`;
}

function ofFields(before: Fields, after: Fields, field: string): Difference[] {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) =>
    differences(own(before, key), own(after, key), field ? `${field}.${key}` : key),
  );
}

/** A client may well be called `constructor`. */
function own(fields: Fields, key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

function order(field: string, old: Fields, now: Fields): Difference {
  return { field, old: Object.keys(old), new: Object.keys(now) };
}

/** The elements of a list under their names; undefined for anything else. */
function byName(value: unknown): Fields | undefined {
  if (!Array.isArray(value)) return undefined;
  const named = value.every((one) => isFields(one) && typeof one['name'] === 'string');
  return named && value.length > 0
    ? Object.fromEntries((value as { name: string }[]).map((one) => [one.name, one]))
    : undefined;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isPlain(list: readonly unknown[]): boolean {
  return list.every((one) => typeof one !== 'object' || one === null);
}

function valueText(value: unknown): string {
  if (value === undefined) return 'nothing';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

import { UsageError } from '../exit-codes.js';

/** A parser of an option or argument that is a whole number between `min` and `max`. */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (!/^\d{1,15}$/.test(text) || number < min || number > max) {
      throw new UsageError(`${name} is a whole number from ${min} to ${max}, not "${text}".`, name);
    }
    return number;
  };
}

/** Collects an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

import { createRequire } from 'node:module';

/**
 * A function of the system's C library (glibc), by its prototype.
 * @returns undefined where there is another one, or none that koffi knows
 */
export function cFunction<T extends (...all: never[]) => unknown>(
  prototype: string,
): T | undefined {
  if (process.platform !== 'linux') return undefined;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as {
      load(name: string): { func(prototype: string): unknown };
    };
    return koffi.load('libc.so.6').func(prototype) as T;
  } catch {
    return undefined;
  }
}

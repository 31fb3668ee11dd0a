import { posix } from 'node:path';
import { fromPathText, toPathText } from '#archive/path-text.js';
import { UsageError } from '../exit-codes.js';
import { argumentBytes } from './raw-arguments.js';

/**
 * The path text of a path that the shell handed over (an ordinary path of this machine), made
 * absolute from `workingFolder`. Bytes that are not UTF-8 stay what they are.
 */
export function localPath(argument: string, workingFolder: string): string {
  if (argument === '') throw new UsageError('A path may not be empty.');
  return toPathText(posix.resolve(argumentBytes(workingFolder), argumentBytes(argument)));
}

/**
 * A path (or pattern) inside an image, written as `holdfast files` prints it, so that it can be
 * copied from there: backslashes already begin `\\` or `\xHH`. Raw bytes are taken too.
 */
export function imagePath(argument: string): string {
  const text = argument
    .split('\\')
    .map((part) => toPathText(argumentBytes(part)))
    .join('\\');
  fromPathText(text);
  return text;
}

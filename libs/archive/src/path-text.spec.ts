import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import {
  fromPathText,
  fromPathTextBytes,
  isUtf8Bytes,
  toPathText,
  toPathTextBytes,
} from './path-text.js';

const byteString = fc
  .uint8Array({ maxLength: 40 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));
const bytesOf = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

describe('path text', () => {
  it('leaves ordinary names and valid UTF-8 as they are', () => {
    expect(toPathText('etc/passwd')).toBe('etc/passwd');
    expect(toPathText(bytesOf('größe/文書/🐳'))).toBe('größe/文書/🐳');
  });

  it('escapes backslashes, control bytes and what is not UTF-8', () => {
    expect(toPathText('a\\b\nc\td\x7f')).toBe('a\\\\b\\x0ac\\x09d\\x7f');
    expect(toPathText('\xff\xc3x\xe2\x82')).toBe('\\xff\\xc3x\\xe2\\x82');
  });

  it('takes neither overlong forms nor surrogates for UTF-8', () => {
    expect(toPathText('\xc0\xaf')).toBe('\\xc0\\xaf');
    expect(toPathText('\xed\xa0\x80')).toBe('\\xed\\xa0\\x80');
    expect(toPathText('\xf4\x90\x80\x80')).toBe('\\xf4\\x90\\x80\\x80');
  });

  it('is reversible for any bytes, and holds no newline and no tab', () => {
    fc.assert(
      fc.property(byteString, (path) => {
        const text = toPathText(path);
        expect(text).not.toMatch(/[\n\t]/);
        expect(fromPathText(text)).toBe(path);
        expect(fromPathTextBytes(toPathTextBytes(path))).toBe(path);
        expect(Buffer.from(toPathTextBytes(path), 'latin1').toString('utf8')).toBe(text);
      }),
    );
  });

  it('knows UTF-8 as the decoder does', () => {
    fc.assert(
      fc.property(byteString, (path) => {
        let valid = true;
        try {
          new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(path, 'latin1'));
        } catch {
          valid = false;
        }
        expect(isUtf8Bytes(path)).toBe(valid);
      }),
    );
  });

  it('says what is wrong with a lonely backslash', () => {
    expect(() => fromPathText('a\\q')).toThrow(/not a path text/);
    expect(() => fromPathText('a\\x1')).toThrow(/not a path text/);
  });
});

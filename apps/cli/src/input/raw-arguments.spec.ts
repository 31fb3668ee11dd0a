import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { argumentBytes, decodeArgument, rawArguments } from './raw-arguments.js';

const commandLine = (...args: Buffer[]) =>
  Buffer.concat(args.flatMap((arg) => [arg, Buffer.from([0])]));

describe('an argument', () => {
  it('keeps every byte, UTF-8 or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        expect(argumentBytes(decodeArgument(buffer))).toBe(buffer.toString('latin1'));
      }),
    );
  });

  it('is ordinary text where it is UTF-8', () => {
    expect(decodeArgument(Buffer.from('größe \u{1f9f7}'))).toBe('größe \u{1f9f7}');
  });

  it('is found again in the command line of the process', () => {
    const odd = Buffer.from([0x61, 0xff, 0x62]);
    const raw = rawArguments(
      ['backup', odd.toString('utf8')],
      commandLine(Buffer.from('node'), Buffer.from('main.js'), Buffer.from('backup'), odd),
    );
    expect(raw).toEqual(['backup', 'a\udcffb']);
  });

  it('stays as it is where the command line is another one', () => {
    expect(rawArguments(['a\ufffd'], commandLine(Buffer.from('x')))).toEqual(['a\ufffd']);
  });
});

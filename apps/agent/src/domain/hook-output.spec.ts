import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';

import { HookOutput, OUTPUT_SHOWN_BYTES } from './hook-output.js';

const shown = (chunks: readonly string[]) => {
  const output = new HookOutput();
  const early = chunks.flatMap((chunk) => output.push(Buffer.from(chunk)));
  return { early, lines: [...early, ...output.end()] };
};

describe('the output of a hook', () => {
  it('comes line by line, as soon as a line is whole', () => {
    const { early, lines } = shown(['free', 'zing\nfrozen\nla', 'st']);
    expect(early).toEqual(['freezing', 'frozen']);
    expect(lines).toEqual(['freezing', 'frozen', 'last']);
  });

  it('is shown whole up to two KiB, however it is cut', () => {
    const text = fc.array(fc.stringMatching(/^[a-z]{1,40}$/), { maxLength: 45 });
    fc.assert(
      fc.property(text, fc.array(fc.nat(60), { maxLength: 200 }), (words, cuts) => {
        const whole = words.map((word) => `${word}\n`).join('');
        const chunks: string[] = [];
        let at = 0;
        for (const cut of cuts) chunks.push(whole.slice(at, (at += cut)));
        chunks.push(whole.slice(at));
        const { lines } = shown(chunks);
        expect(lines.join('')).toBe(words.join(''));
      }),
    );
  });

  it('loses its middle, and says how much', () => {
    const many = Array.from({ length: 1_000 }, (_, at) => `line ${String(at).padStart(4, '0')}`);
    const { lines } = shown([`${many.join('\n')}\n`]);
    expect(lines[0]).toBe('line 0000');
    expect(lines.at(-1)).toBe('line 0999');
    const leftOut = 10_000 - 2 * OUTPUT_SHOWN_BYTES;
    expect(lines).toContain(`(${leftOut} bytes of output are left out here)`);
    expect(lines.join('').length).toBeLessThan(2 * OUTPUT_SHOWN_BYTES + 60);
  });

  it('steers no terminal', () => {
    expect(shown(['\u001b[2Jgone\r\n', '\u0007\n']).lines).toEqual([
      '\ufffd[2Jgone\ufffd',
      '\ufffd',
    ]);
  });
});

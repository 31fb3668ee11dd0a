import { describe, expect, it } from '@jest/globals';
import { dataSettings } from './data-settings.js';

describe('the settings of the data bench', () => {
  it('are three rounds of everything by default', () => {
    expect(dataSettings({ HOLDFAST_BENCH_TOOLS: '' })).toMatchObject({
      ...{ rounds: 3, corpora: ['small', 'large'] },
      tools: ['holdfast', 'holdfast-dedup', 'Bacula', 'restic', 'borg', 'floor', 'tar'],
    });
  });

  it('choose a part', () => {
    const env = {
      ...{ HOLDFAST_BENCH_FOLDER: '/b', HOLDFAST_BENCH_ROUNDS: '1' },
      ...{ HOLDFAST_BENCH_CORPORA: 'large-sample', HOLDFAST_BENCH_TOOLS: 'tar, holdfast' },
    };
    expect(dataSettings(env)).toEqual({
      ...{ folder: '/b', rounds: 1, corpora: ['large-sample'], tools: ['holdfast', 'tar'] },
    });
  });

  it('that are wrong are named, with what is allowed', () => {
    const wrong = (env: Record<string, string>) => () => dataSettings(env);
    expect(wrong({ HOLDFAST_BENCH_ROUNDS: '0' })).toThrow(
      'HOLDFAST_BENCH_ROUNDS is a number from 1 to 100, not "0".',
    );
    expect(wrong({ HOLDFAST_BENCH_TOOLS: 'tar,rsync' })).toThrow(
      'HOLDFAST_BENCH_TOOLS names some of holdfast, holdfast-dedup, Bacula, restic, borg, floor, tar, not "rsync".',
    );
  });
});

import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { z } from 'zod';
import { durationSetting } from '../duration-setting.js';
import { settingFacts } from './setting-facts.js';
import { Settings } from './settings.js';

const facts = { unit: 'seconds', description: 'd', settable: true };
const schema = z.object({
  TICK_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(60)
    .default(15)
    .register(settingFacts, { ...facts, name: 'a.tick-seconds' }),
  SILENCE_MS: z.coerce
    .number()
    .int()
    .min(1_000)
    .default(30_000)
    .register(settingFacts, { ...facts, name: 'a.silence-seconds', scale: 1_000 }),
  GRACE: durationSetting
    .prefault('24h')
    .register(settingFacts, { ...facts, name: 'a.grace', settable: false }),
  KEEP: durationSetting
    .prefault('30d')
    .register(settingFacts, { ...facts, name: 'a.keep-days', duration: 'd' }),
  SEED_FILE: z.string().optional(),
});
const settings = (environment = {}) => new Settings(schema, environment);
const set = (entries: Record<string, string>) => new Map(Object.entries(entries));

describe('settings', () => {
  it('come from what was set, then from the environment, then from the defaults', () => {
    const all = settings({ TICK_SECONDS: '20' });
    const { values } = all;
    expect(settings().view('a.tick-seconds')).toMatchObject({ value: 15, source: 'default' });
    expect(all.view('a.tick-seconds')).toMatchObject({ value: 20, source: 'environment' });
    expect(all.use(set({ 'a.tick-seconds': '30' }))).toEqual([]);
    expect(all.view('a.tick-seconds')).toMatchObject({ value: 30, source: 'set', unset: 20 });
    expect(values.TICK_SECONDS).toBe(30);
    all.use(new Map());
    expect(values.TICK_SECONDS).toBe(20);
  });

  it('are shown with what is allowed, in their own unit, and without what is no setting', () => {
    const views = settings({ SEED_FILE: '/secret', SILENCE_MS: '1500' }).views();
    expect(views.map(({ name, value, allowed }) => [name, value, allowed])).toEqual([
      ['a.grace', '24h', 'a text'],
      ['a.keep-days', 30, 'a whole number of at least 1'],
      ['a.silence-seconds', 1.5, 'a number of at least 1'],
      ['a.tick-seconds', 15, 'a whole number from 1 to 60'],
    ]);
    expect(JSON.stringify(views)).not.toContain('secret');
  });

  it('take only what the environment would be allowed to say', () => {
    const all = settings();
    expect(all.textFor('a.tick-seconds', 7)).toBe('7');
    expect(all.textFor('a.silence-seconds', '2.5')).toBe('2500');
    expect(all.textFor('a.keep-days', 7)).toBe('7d');
    const refused = (name: string, value: string | number) => () => all.textFor(name, value);
    expect(refused('a.tick-seconds', 61)).toThrow(
      'a.tick-seconds is a whole number from 1 to 60, not "61".',
    );
    expect(refused('a.tick-seconds', '')).toThrow('not ""');
    expect(refused('a.silence-seconds', 'long')).toThrow('a number of at least 1, not "long"');
    expect(refused('a.keep-days', '12h')).toThrow('a whole number of at least 1, not "12h"');
    expect(refused('a.grace', '1h')).toThrow('Start it with GRACE in its environment.');
    expect(refused('a.else', 1)).toThrow('There is no setting "a.else".');
  });

  it('may have a least value for people that does not bind the environment', () => {
    const lease = z.coerce.number().int().min(1).max(600).default(300);
    const bounded = z.object({
      LEASE: lease.register(settingFacts, { ...facts, name: 'a.lease', least: 60 }),
    });
    const all = new Settings(bounded, { LEASE: '2' });
    expect(all.values.LEASE).toBe(2);
    expect(() => all.textFor('a.lease', 59)).toThrow('a whole number from 60 to 600, not "59"');
    expect(all.textFor('a.lease', 60)).toBe('60');
    expect(all.use(set({ 'a.lease': '59' }))).toEqual(['a.lease']);
    expect(all.use(set({ 'a.lease': '60' }))).toEqual([]);
  });

  it('ignore what was set once and is not allowed any more, and say so', () => {
    const all = settings();
    const ignored = all.use(set({ 'a.tick-seconds': '900', 'a.gone': '1', 'a.grace': '1h' }));
    expect(ignored).toEqual(['a.tick-seconds', 'a.gone', 'a.grace']);
    expect(all.values).toEqual({
      TICK_SECONDS: 15,
      SILENCE_MS: 30_000,
      GRACE: 86_400_000,
      KEEP: 2_592_000_000,
    });
  });

  it('never come to a value that the schema refuses, whatever is set', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double(), fc.integer(), fc.boolean()), (value) => {
        const all = settings();
        try {
          all.use(set({ 'a.tick-seconds': all.textFor('a.tick-seconds', value) }));
        } catch {
          all.use(set({ 'a.tick-seconds': String(value) }));
        }
        const { TICK_SECONDS: seconds } = all.values;
        expect(Number.isInteger(seconds) && seconds >= 1 && seconds <= 60).toBe(true);
      }),
    );
  });
});

import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Logger } from '@nestjs/common';
import { z } from 'zod';
import { setTimeout as sleep } from 'node:timers/promises';
import { settingFacts } from './setting-facts.js';
import { SettingsKeeper } from './settings-keeper.js';
import { Settings } from './settings.js';

const facts = { name: 'a.tries', unit: 'tries', description: 'd', settable: true };
const schema = z.object({
  TRIES: z.coerce.number().int().min(1).max(9).default(2).register(settingFacts, facts),
});

beforeAll(() => Logger.overrideLogger(false));
afterAll(() => Logger.overrideLogger(['error', 'warn', 'log']));

it('what is set stays in force, though a look at the table that began before ends after it', async () => {
  const stored = new Map<string, string>();
  let looks = 0;
  const table = {
    async read() {
      const seen = new Map(stored);
      looks += 1;
      await sleep(looks === 1 ? 50 : 1);
      return seen;
    },
    put: async (name: string, value: string) => void stored.set(name, value),
    unset: async (name: string) => void stored.delete(name),
  };
  const settings = new Settings(schema, {});
  const keeper = new SettingsKeeper(settings, table);
  const before = keeper.read();
  expect(await keeper.put('a.tries', 5)).toMatchObject({ value: 5, source: 'set' });
  await before;
  expect(settings.values.TRIES).toBe(5);
});

import { readdirSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { eventStream } from './streams.js';

const FOLDER = new URL('.', import.meta.url);

/** `hf.evt.v1.job.done` of every contract that is one. */
async function publicEvents(): Promise<string[]> {
  const files = readdirSync(FOLDER, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.spec.ts'),
  );
  const exported: ({ prefix?: unknown } | undefined)[] = [];
  for (const path of files) {
    exported.push(...Object.values((await import(new URL(path, FOLDER).href)) as object));
  }
  return exported
    .flatMap((contract) => (typeof contract?.prefix === 'string' ? [contract.prefix] : []))
    .filter((prefix) => prefix.startsWith('hf.evt.'));
}

describe('the stream of events', () => {
  it('keeps every public event but how far jobs have come', async () => {
    const isKept = (event: string) =>
      eventStream.subjects.some((subject) => `${event}.`.startsWith(subject.slice(0, -1)));
    const events = await publicEvents();
    expect(events.length).toBeGreaterThan(15);
    expect(events.filter((event) => !isKept(event))).toEqual(['hf.evt.v1.job.progressed']);
  });
});

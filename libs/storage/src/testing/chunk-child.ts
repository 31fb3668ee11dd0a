import { ChunkStore } from '../chunks/chunk-store.js';
import { grantOf, sealAlone, tombstoneOf } from './chunks.js';
import { fragmentName } from './fragments.js';

/**
 * A process that works on a volume of chunks until it is killed: two clients that back up, one that
 * deletes, and a collection, all at once. Each line that it writes says what it is about to do or what
 * it was told is done. Arguments: folder, number of its first fragment, numbers of those that are
 * there (with commas).
 */
async function main(folder: string, firstNumber: number, there: readonly number[]): Promise<void> {
  const store = await ChunkStore.open({ folder, reserveBytes: 0 });
  const alive = [...there];
  let next = firstNumber;
  let chance = firstNumber;
  const random = (below: number) => {
    chance = (Math.imul(chance, 1_103_515_245) + 12_345) >>> 0;
    return (chance >>> 8) % below;
  };
  const say = (line: string) => void process.stdout.write(`${line}\n`);

  const client = async () => {
    for (;;) {
      const number = next;
      next += 1;
      const seeds = Array.from({ length: 1 + random(30) }, () => random(60));
      say(`sealing ${number} ${seeds.join(',')}`);
      await sealAlone(store, fragmentName(number), seeds);
      say(`sealed ${number}`);
      alive.push(number);
    }
  };
  const deleter = async () => {
    for (;;) {
      const [number] = alive.length > 3 ? alive.splice(random(alive.length), 1) : [];
      if (number !== undefined) {
        const name = fragmentName(number);
        say(`removing ${number}`);
        await store.remove(grantOf(name), name);
        await store.emptyTrash(tombstoneOf(name));
        say(`removed ${number}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const collector = async () => {
    for (;;) {
      const { gone } = await store.collect({ deadShareMin: 0 });
      say(`collected ${gone}`);
    }
  };
  say('open');
  await Promise.all([client(), client(), deleter(), collector()]);
}

const [, , folder = '', firstNumber = '1', there = ''] = process.argv;
await main(folder, Number(firstNumber), there.split(',').filter(Boolean).map(Number));

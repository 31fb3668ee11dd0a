import { beforeAll, describe, it } from '@jest/globals';
import { jobsDuplicate } from '#contracts/job.js';
import { until } from '../../../../test/support/until.js';
import { useCatalog } from '../testing/use-catalog.js';

/** More than one look takes on. */
const COPIES = 21;

const { cluster, maker } = await useCatalog({ HOLDFAST_CARE_EVERY: '100ms' });
/** Images for whose repair the job manager was asked, each time. */
const asked: string[] = [];

beforeAll(async () => {
  const observer = await cluster.connect('observer');
  observer.connection.subscribe(jobsDuplicate.subject, {
    callback: (_, message) => {
      asked.push(message.json<{ imageId: string }>().imageId);
      message.respond(JSON.stringify({ job: 77 }));
    },
  });
});

describe('damaged copies', () => {
  it('that are never mended keep no others from it', async () => {
    const imageIds = await Promise.all(
      Array.from({ length: COPIES }, async () => {
        const { imageId } = await maker.backup(1);
        await maker.duplicate(imageId);
        return imageId;
      }),
    );
    await cluster.database.query(`UPDATE fragment SET state = 'DAMAGED' WHERE copy = 1`);
    const timesOf = (imageId: string) => asked.filter((each) => each === imageId).length;
    await until(() => Math.min(...imageIds.map(timesOf)) > 0);
  });
});

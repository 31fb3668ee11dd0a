import { z } from 'zod';
import { endpoint } from './contract.js';
import { dataAddress, dataToken, imageId } from './names.js';

export const mediaOpenRead = endpoint('media', 'open-read', {
  description: 'Gives a one-time token to read an image on the data port (for the catalog)',
  perInstance: true,
  request: z.object({ imageId }),
  response: z.object({ address: dataAddress, token: dataToken }),
});

export const mediaFragments = endpoint('media', 'fragments', {
  description: 'How many fragments the journal knows, by state',
  perInstance: true,
  request: z.object({}),
  response: z.object({ states: z.record(z.string(), z.int()) }),
});

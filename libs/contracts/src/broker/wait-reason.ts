import { z } from 'zod';

/**
 * What a request waits for. `turn`: there would be enough, but somebody who has waited longest has a
 * claim to it. `mount` is for media servers to say; the broker does not.
 */
export const waitReason = z.enum([
  'unit-busy',
  'unit-full',
  'unit-drained',
  'unit-missing',
  'media-down',
  'no-volume',
  'client-limit',
  'policy-limit',
  'drive-busy',
  'mount',
  'turn',
]);
export type WaitReason = z.infer<typeof waitReason>;

import { z } from 'zod';

export const jobsConfig = z.object({
  /** A participant that says nothing for so long has died. It speaks every second or so. */
  HOLDFAST_SILENCE_MS_MAX: z.coerce.number().int().min(1_000).default(30_000),
});
export type JobsConfigValues = z.infer<typeof jobsConfig>;

/** The configuration as an injection token. */
export class JobsConfig {
  constructor(readonly silenceMsMax: number) {}
}

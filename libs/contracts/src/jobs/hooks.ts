import { z } from 'zod';

/** A script of the client's hook folder: a bare file name, never a path and never a line for a shell. */
export const jobHook = z.strictObject({
  script: z
    .string()
    .regex(
      /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}$/,
      'a hook is the bare name of a file in the hook folder: 1 to 255 letters, digits, ".", "_" or "-", without a dot in front',
    )
    .meta({ allowed: 'the bare name of a file in the hook folder of the client' })
    .describe('the file that is run'),
  timeoutSeconds: z.int().min(1).max(86_400).default(300).describe('then it is killed'),
});
export type JobHook = z.infer<typeof jobHook>;
export const jobHooks = z.strictObject({
  before: jobHook.optional().describe('runs before anything is read; its failure ends the attempt'),
  after: jobHook
    .optional()
    .describe('runs once the one before has succeeded, whatever becomes of the attempt'),
});
export type JobHooks = z.infer<typeof jobHooks>;

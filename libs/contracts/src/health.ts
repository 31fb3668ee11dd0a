import { z } from 'zod';
import { endpoint } from './contract.js';

export const healthReport = z.object({
  service: z.string(),
  instance: z.string(),
  version: z.string(),
  host: z.string(),
  pid: z.int(),
  startedAt: z.iso.datetime(),
  residentBytes: z.int(),
  checks: z.array(z.object({ name: z.string(), ok: z.boolean(), text: z.string() })),
});
export type HealthReport = z.infer<typeof healthReport>;

/** Every service answers this one; `holdfast status` asks all of them at once. */
export function healthEndpoint(service: string) {
  return endpoint(service, 'health', {
    description: 'Says whether the service and what it depends on work',
    allAnswer: true,
    request: z.object({}),
    response: healthReport,
  });
}

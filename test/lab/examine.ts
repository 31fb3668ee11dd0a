import { judge } from './evidence.js';
import type { Chronicle } from './lab-guest.js';
import type { Guest } from './machine/guest.js';
import type { ImageEvidence } from './protocol.js';

export const START_MS_MAX = 600_000;
const HEAL_MS_MAX = 300_000;
const SURVEY_MS_MAX = 600_000;
const RESTORE_MS_MAX = 600_000;

export interface Examination {
  /** What contradicts an invariant. Nothing should. */
  readonly findings: readonly string[];
  readonly startSeconds: number;
  readonly healSeconds: number;
  readonly fragments: number;
  /** Those of them that are deleted. */
  readonly deleted: number;
  readonly bytesRead: number;
  readonly imagesRestored: number;
  /** Jobs that failed, which the examination before had not seen. */
  readonly failed: readonly string[];
}

/**
 * Starts the cluster after a loss of power, lets it heal, and looks at everything. An image that is COMPLETE is restored
 * if it is not in `restored`, where it is then noted. A cluster that does not start, or hangs, is a finding.
 */
export async function examine(
  guest: Guest,
  chronicle: Chronicle,
  restored: Set<string>,
): Promise<Examination> {
  const result = {
    ...{ findings: [] as string[], failed: [] as string[] },
    ...{ startSeconds: 0, healSeconds: 0, imagesRestored: 0 },
    ...{ fragments: 0, deleted: 0, bytesRead: 0 },
  };
  try {
    result.startSeconds = (await guest.call('start', {}, START_MS_MAX)).seconds;
    const request = { idle: true, msMax: HEAL_MS_MAX };
    const healed = await guest.call('heal', request, 2 * HEAL_MS_MAX);
    result.healSeconds = healed.seconds;
    if (healed.note !== '') {
      result.findings.push(`after ${healed.seconds.toFixed(0)} s ${healed.note}`);
    }
    const survey = await guest.call('survey', {}, SURVEY_MS_MAX);
    result.findings.push(...judge(survey, chronicle), ...survey.unsettled);
    const { fragments } = survey;
    result.fragments = fragments.length;
    result.deleted = fragments.filter(({ catalog }) => catalog?.state === 'DELETED').length;
    result.bytesRead = survey.bytesRead;
    result.failed = survey.failedJobs
      .filter(({ job }) => chronicle.isNewFailure(job))
      .map(({ job, status, message }) => `job ${job} ended with ${status}: ${message}`);
    for (const { fragmentId, medium } of fragments) {
      if (medium?.manifestDigest) chronicle.sealed.add(fragmentId);
    }
    for (const image of survey.images.filter((one) => isToRestore(one, restored))) {
      result.findings.push(...(await restore(guest, chronicle, image)));
      restored.add(image.imageId);
      result.imagesRestored += 1;
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'PowerLost') throw error;
    result.findings.push(error.message);
  }
  return result;
}

function isToRestore({ imageId, state }: ImageEvidence, restored: ReadonlySet<string>): boolean {
  return state === 'COMPLETE' && !restored.has(imageId);
}

async function restore(
  guest: Guest,
  chronicle: Chronicle,
  { imageId, job }: ImageEvidence,
): Promise<string[]> {
  const expectation = chronicle.expectations.get(job);
  if (!expectation) return [`nobody asked for job ${job}, which made ${imageId}`];
  const { differences } = await guest.call('restore', { imageId, expectation }, RESTORE_MS_MAX);
  return differences.map((difference) => `${imageId} restored: ${difference}`);
}

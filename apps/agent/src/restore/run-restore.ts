import { LINKED_FILES_MAX } from '#archive/chain/index-merge.js';
import { messageOf, Unavailable } from '#kernel/errors.js';
import { STATUS } from '#kernel/status.js';

import { FallOver } from './fall-over.js';
import { unprovenText } from './index-cursor.js';
import { RestoreNotes } from './restore-notes.js';
import { surveyPlan, type PlanSource, type RestoreSurvey } from './restore-plan.js';
import type { RestoreRequest } from './restore-request.js';
import { RestoreRun } from './restore-run.js';
import { Selection } from './selection.js';

/** Texts on indexes that are remembered. */
const DAMAGE_KEPT_MAX = 10_000;

/** A mount request that timed out, and one that an operator cancelled. */
const MOUNT_REFUSALS: ReadonlySet<number> = new Set([
  STATUS.mountTimedOut,
  STATUS.mediaRequestFailed,
]);

export interface RestoreResult {
  /**
   * 0 everything was restored · 1 something is missing or not quite as it was · 5 nothing could be restored · 150 it
   * was stopped · 185 nothing that was asked for is in the image · 52 or 98 nothing was restored, since nobody brought
   * the volume, or an operator refused to.
   */
  readonly status: number;
  /** Entries restored: files, folders, links and the rest. */
  readonly files: number;
  /** Bytes of content written. */
  readonly bytes: number;
  /** For the job log: about 1,000 at most of the plan, and as many of what came then. */
  readonly notes: readonly string[];
}

/**
 * Restores a chain of images to a folder: reads the indexes, works out what exists after the newest image, reads the
 * frames that hold it (each checked against the digest that was made at the client) and writes it. Memory depends on
 * neither the number nor the size of the files. What goes wrong is in the result.
 * @throws InvalidInput on a selection that is no path text.
 */
export async function runRestore(request: RestoreRequest): Promise<RestoreResult> {
  const { chain, signal, onRefused } = request;
  const sources = new FallOver({
    ...{ chain, reader: request.reader, onRefused, signal },
    onUnproven: (fragment, reason) => {
      const image = chain.find(({ fragments }) => fragments.includes(fragment));
      plan.onDamage(unprovenText(image?.imageId ?? '', fragment, reason));
    },
  });
  const selection = new Selection(request.selection);
  const notes = new RestoreNotes();
  const damage = new Set<string>();
  const plan: PlanSource = {
    chain,
    sources,
    selection,
    // The indexes may be read twice: what is wrong both times is said once.
    onDamage: (text) => {
      if (damage.has(text)) return;
      if (damage.size < DAMAGE_KEPT_MAX) damage.add(text);
      notes.add({ text, lost: true });
    },
    ...(signal === undefined ? {} : { signal }),
  };
  const run = new RestoreRun(request, notes, sources);
  let survey: RestoreSurvey | undefined;
  let refusal: number | undefined;
  let known: readonly string[] = [];
  try {
    survey = await surveyPlan(plan);
    noteSurvey(survey, { selection, isWhole: damage.size === 0 }, notes);
    known = notes.take().map(({ text }) => text);
    request.onSurveyed?.(known);
    await run.restore(survey, plan);
  } catch (error) {
    if (error instanceof Unavailable && MOUNT_REFUSALS.has(error.status)) refusal = error.status;
    if (signal?.aborted !== true) {
      notes.add({ text: `The restore ended early: ${messageOf(error)}`, lost: true });
    }
  }
  const { files, bytes, leftAlone } = run.counts;
  if (signal?.aborted === true) {
    const text = `The restore was stopped. ${files} entries were restored before that and stay.`;
    notes.add({ text, lost: true });
  }
  const { lost } = notes;
  const outcome = {
    stopped: signal?.aborted === true,
    nothingFound: survey?.files === 0 && request.selection.length > 0 && damage.size === 0,
    nothingDone: files === 0 && leftAlone === 0,
    lost,
    refusal,
  };
  return {
    status: statusOf(outcome),
    files,
    bytes,
    notes: [...known, ...notes.takeAll().map(({ text }) => text)],
  };
}

/** The status code of a restore. */
export function statusOf(outcome: {
  readonly stopped: boolean;
  readonly nothingFound: boolean;
  readonly nothingDone: boolean;
  readonly lost: boolean;
  /** Why the volume is not there on which the data lies. */
  readonly refusal?: number | undefined;
}): number {
  if (outcome.stopped) return STATUS.cancelled;
  if (outcome.nothingFound) return STATUS.filesNotFound;
  if (!outcome.lost) return STATUS.ok;
  return outcome.nothingDone ? (outcome.refusal ?? STATUS.restoreFailed) : STATUS.partial;
}

function noteSurvey(
  survey: RestoreSurvey,
  { selection, isWhole }: { selection: Selection; isWhole: boolean },
  notes: RestoreNotes,
): void {
  const what = isWhole ? 'no such path in the image' : 'not found in what can be read of the image';
  for (const path of selection.notFound()) notes.add({ text: `${path}: ${what}.`, lost: true });
  if (survey.linksLeftOut > 0) {
    const text = `More than ${LINKED_FILES_MAX} files have several links; ${survey.linksLeftOut} links may become files of their own.`;
    notes.add({ text, lost: true });
  }
}

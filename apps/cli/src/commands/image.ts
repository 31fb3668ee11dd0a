import type { Command } from 'commander';
import {
  imageExpire,
  imageHold,
  imageUndelete,
  type ExpiryDecision,
} from '#contracts/catalog/expiry.js';
import type { RequestOf, ResponseOf } from '#contracts/contract.js';
import { jobsDuplicate, jobsVerify } from '#contracts/job.js';
import { parseInput } from '#messaging/validation.js';
import type { Cli } from '../cli.js';
import type { Cluster } from '../cluster/cluster.js';
import { UsageError } from '../exit-codes.js';
import { imageIdOf } from '../input/image-id.js';
import { wholeNumber } from '../input/numbers.js';
import { runImageJobs } from '../job/image-jobs.js';
import { decisionLines } from '../output/decision-lines.js';

interface CopyOption {
  readonly copy?: number;
}
interface WaitOption {
  readonly wait: boolean;
}
interface ExpireOptions extends CopyOption {
  readonly now?: true;
  readonly dryRun?: true;
}
interface HoldOptions {
  readonly reason?: string;
  readonly release?: true;
}

const IMAGE = '<client>_<unix time>';
const COPY_MAX = 10;
const copyNumber = wholeNumber('--copy', 1, COPY_MAX);

export function define(command: Command, cli: () => Cli): void {
  command
    .command('duplicate')
    .description('make a further copy of images in another storage pool')
    .argument('<image...>', IMAGE)
    .requiredOption('--to <pool>', 'the storage pool that the copy goes to')
    .option('--copy <n>', 'complete or repair this copy instead of making one', copyNumber)
    .option('--no-wait', 'only submit the jobs and print their numbers')
    .action((images: string[], options: CopyOption & WaitOption & { to: string }) =>
      duplicate(cli(), images, options),
    );
  command
    .command('verify')
    .description('read the fragments of images where they lie and compare their digests')
    .argument('<image...>', IMAGE)
    .option('--copy <n>', 'this copy alone', copyNumber)
    .option('--no-wait', 'only submit the jobs and print their numbers')
    .action((images: string[], options: CopyOption & WaitOption) => verify(cli(), images, options));
  command
    .command('expire')
    .description('mark copies for deletion: of one image, or of all whose time is over')
    .argument('[image]', IMAGE)
    .option('--copy <n>', 'this copy alone', copyNumber)
    .option('--now', 'expire it now, whatever its retention was: the image, or no more than --copy')
    .option('--dry-run', 'only say what would be deleted or kept, and why')
    .action((image: string | undefined, options: ExpireOptions) => expire(cli(), image, options));
  command
    .command('undelete')
    .description('take back copies that are marked for deletion')
    .argument('<image>', IMAGE)
    .option('--copy <n>', 'this copy alone', copyNumber)
    .action((image: string, options: CopyOption) => undelete(cli(), image, options));
  command
    .command('hold')
    .description('keep an image whatever happens, until the hold is released')
    .argument('<image>', IMAGE)
    .argument('<name>', 'what the hold is called, such as the case that it is for')
    .option('--reason <text>', 'for people who wonder later')
    .option('--release', 'lift the hold of this name')
    .action((image: string, name: string, options: HoldOptions) =>
      hold(cli(), { image, name, options }),
    );
}

function duplicate(
  cli: Cli,
  images: readonly string[],
  { to: toPool, copy, wait }: CopyOption & WaitOption & { to: string },
): Promise<void> {
  return runImageJobs(cli, {
    images,
    wait,
    request: (of) => parseInput(jobsDuplicate.request, { ...of, toPool, copy }),
    submit: (cluster, request) => cluster.submit(jobsDuplicate, request),
  });
}

function verify(
  cli: Cli,
  images: readonly string[],
  { copy, wait }: CopyOption & WaitOption,
): Promise<void> {
  return runImageJobs(cli, {
    images,
    wait,
    request: (of) => parseInput(jobsVerify.request, { ...of, copy }),
    submit: (cluster, request) => cluster.submit(jobsVerify, request),
  });
}

async function expire(cli: Cli, image: string | undefined, options: ExpireOptions): Promise<void> {
  if (image === undefined && (options.copy !== undefined || options.now)) {
    throw new UsageError('--copy and --now are about one image: name it.', 'image');
  }
  const request = parseInput(imageExpire.request, {
    imageId: image === undefined ? undefined : imageIdOf(image),
    copy: options.copy,
    now: options.now,
    dryRun: options.dryRun,
  });
  const answer = await cli.withCluster((cluster) => expireAll(cluster, request));
  cli.answer(answer, (output) => output.lines(decisionLines(answer, options.dryRun ?? false)));
}

/** All pages of it, as one answer. */
async function expireAll(
  cluster: Cluster,
  request: RequestOf<typeof imageExpire>,
): Promise<Pick<ResponseOf<typeof imageExpire>, 'decisions' | 'deletableAt'>> {
  const decisions: ExpiryDecision[] = [];
  let deletableAt: string | null = null;
  for (let after: string | null | undefined = undefined; after !== null;) {
    const page: ResponseOf<typeof imageExpire> = await cluster.ask(imageExpire, {
      ...request,
      after,
    });
    decisions.push(...page.decisions);
    // The earliest: until then all of them can be taken back.
    deletableAt ??= page.deletableAt;
    after = page.next;
  }
  return { decisions, deletableAt };
}

async function undelete(cli: Cli, image: string, { copy }: CopyOption): Promise<void> {
  const request = parseInput(imageUndelete.request, { imageId: imageIdOf(image), copy });
  const answer = await cli.withCluster((cluster) => cluster.ask(imageUndelete, request));
  cli.answer(answer, (output) => {
    output.line(`${answer.fragments} fragments of ${image} are taken back.`);
  });
}

async function hold(
  cli: Cli,
  { image, name, options }: { image: string; name: string; options: HoldOptions },
): Promise<void> {
  const request = parseInput(imageHold.request, {
    imageId: imageIdOf(image),
    hold: name,
    reason: options.reason,
    release: options.release,
  });
  const answer = await cli.withCluster((cluster) => cluster.ask(imageHold, request));
  cli.answer(answer, (output) => {
    const { holds } = answer;
    output.line(holds.length === 0 ? `${image} is not on hold.` : `On hold: ${holds.join(', ')}.`);
  });
}

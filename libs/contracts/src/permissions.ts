import { subjectToken } from './contract.js';
import {
  agentTasks,
  catalogCommits,
  CONSUMERS,
  jobsCopies,
  jobsGrants,
  jobsImages,
  mediaDeletes,
  mediaReceipts,
  mediaTasks,
  policyIncomplete,
  policyQueued,
  policyJobs,
  STREAMS,
  type ConsumerSpec,
} from './streams.js';

/** What one NATS user may publish and subscribe to. Everything else is refused. */
export interface Permissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** Reply subjects are private to a user: nobody can read another's answers. */
export function inboxPrefix(user: string): string {
  return `_INBOX_${subjectToken(user)}`;
}

/** True below an inbox of a user of the cluster, or of `nats` as it comes. Nothing but requesters listen there. */
export function isInbox(subject: string): boolean {
  return /^_INBOX(_[\w=-]+)?\../.test(subject);
}

const read = (user: string) => `${inboxPrefix(user)}.>`;

function consume(spec: ConsumerSpec): string[] {
  return [
    `$JS.API.CONSUMER.INFO.${spec.stream}.${spec.durable}`,
    `$JS.API.CONSUMER.MSG.NEXT.${spec.stream}.${spec.durable}`,
    `$JS.ACK.${spec.stream}.${spec.durable}.>`,
  ];
}

/** To make exactly this consumer, filter included: the subject carries both. */
function consumeOwn(spec: ConsumerSpec): string[] {
  return [
    `$JS.API.CONSUMER.CREATE.${spec.stream}.${spec.durable}.${spec.filter}`,
    // A broker that went back in time may hold a consumer that is ahead of its stream.
    `$JS.API.CONSUMER.DELETE.${spec.stream}.${spec.durable}`,
    `$JS.API.STREAM.INFO.${spec.stream}`,
    ...consume(spec),
  ];
}

function answers(service: string): string[] {
  return [`hf.svc.v1.${service}.>`, '$SRV.PING', '$SRV.INFO', '$SRV.STATS'].concat(
    ['PING', 'INFO', 'STATS'].flatMap((verb) => [
      `$SRV.${verb}.${service}`,
      `$SRV.${verb}.${service}.*`,
    ]),
  );
}

/** Makes and checks the streams and the fixed consumers; the only user that may. */
function topology(): Permissions {
  const publish = ['$JS.API.INFO'];
  for (const { name } of STREAMS) {
    publish.push(`$JS.API.STREAM.INFO.${name}`, `$JS.API.STREAM.CREATE.${name}`);
    publish.push(`$JS.API.STREAM.UPDATE.${name}`, `$JS.API.STREAM.MSG.GET.${name}`);
  }
  for (const { stream, durable } of CONSUMERS) {
    publish.push(
      `$JS.API.CONSUMER.INFO.${stream}.${durable}`,
      `$JS.API.CONSUMER.CREATE.${stream}.${durable}.>`,
      `$JS.API.CONSUMER.DELETE.${stream}.${durable}`,
    );
  }
  return { publish, subscribe: [read('topology')] };
}

function policy(): Permissions {
  return {
    publish: [
      'hf.svc.v1.jobs.backup',
      'hf.svc.v1.jobs.continue',
      'hf.svc.v1.jobs.get',
      'hf.svc.v1.broker.client',
      'hf.svc.v1.broker.units',
      'hf.svc.v1.broker.groups',
      'hf.svc.v1.broker.servers',
      'hf.evt.v1.policy.>',
      ...consume(policyJobs),
      ...consume(policyIncomplete),
      ...consume(policyQueued),
    ],
    subscribe: [read('policy'), ...answers('policy')],
  };
}

function jobs(): Permissions {
  return {
    publish: [
      'hf.svc.v1.broker.allocate',
      'hf.svc.v1.broker.release',
      'hf.svc.v1.broker.priority',
      'hf.svc.v1.broker.client',
      'hf.svc.v1.catalog.image-begin',
      'hf.svc.v1.catalog.image-finish',
      'hf.svc.v1.catalog.image-abandon',
      'hf.svc.v1.catalog.restore-chain',
      'hf.svc.v1.catalog.synthesis-chain',
      'hf.svc.v1.catalog.copies',
      'hf.svc.v1.catalog.copy-begin',
      'hf.svc.v1.catalog.copy-finish',
      'hf.svc.v1.catalog.image',
      'hf.svc.v1.catalog.pin',
      'hf.svc.v1.catalog.unpin',
      'hf.svc.v1.media.drain.>',
      'hf.int.v1.task.>',
      'hf.evt.v1.job.>',
      ...consume(jobsGrants),
      ...consume(jobsImages),
      ...consume(jobsCopies),
    ],
    subscribe: [read('jobs'), ...answers('jobs')],
  };
}

function broker(): Permissions {
  return {
    publish: ['hf.evt.v1.allocation.>', 'hf.evt.v1.media.>', 'hf.evt.v1.unit.>'],
    subscribe: [read('broker'), ...answers('broker')],
  };
}

function catalog(): Permissions {
  return {
    publish: [
      'hf.int.v1.frag.receipt.>',
      'hf.int.v1.frag.delete.>',
      'hf.evt.v1.fragment.>',
      'hf.evt.v1.image.>',
      'hf.evt.v1.copy.>',
      'hf.svc.v1.media.>',
      'hf.svc.v1.broker.servers',
      'hf.svc.v1.jobs.duplicate',
      'hf.svc.v1.jobs.get',
      ...consume(catalogCommits),
    ],
    subscribe: [read('catalog'), ...answers('catalog')],
  };
}

/** A media server can neither forge receipts, nor commit for another, nor touch a stream. */
function media(id: string): Permissions {
  const token = subjectToken(id);
  return {
    publish: [
      `hf.int.v1.frag.commit.${token}.>`,
      'hf.svc.v1.catalog.fragment-status',
      'hf.svc.v1.catalog.fragment-offer',
      'hf.svc.v1.catalog.fragment-sources',
      'hf.svc.v1.catalog.fragment-suspect',
      'hf.svc.v1.catalog.delete-claim',
      'hf.svc.v1.catalog.delete-report',
      'hf.svc.v1.catalog.fragments',
      'hf.svc.v1.catalog.fragment-sources',
      'hf.svc.v1.catalog.fragment-suspect',
      'hf.svc.v1.broker.heartbeat',
      'hf.svc.v1.jobs.report',
      ...consumeOwn(mediaTasks(token)),
      ...consumeOwn(mediaReceipts(token)),
      ...consumeOwn(mediaDeletes(token)),
    ],
    subscribe: [read(`media-${id}`), ...instanceAnswers('media', token)],
  };
}

function agent(client: string): Permissions {
  const token = subjectToken(client);
  return {
    publish: [
      'hf.svc.v1.catalog.fragment-sources',
      'hf.svc.v1.catalog.fragment-suspect',
      'hf.svc.v1.broker.heartbeat',
      'hf.svc.v1.jobs.report',
      ...consumeOwn(agentTasks(token)),
    ],
    subscribe: [read(`agent-${client}`), ...instanceAnswers('agent', token)],
  };
}

function instanceAnswers(service: string, token: string): string[] {
  return [
    `hf.svc.v1.${service}.health`,
    `hf.svc.v1.${service}.settings`,
    `hf.svc.v1.${service}.*.${token}`,
    ...answers(service).filter((subject) => subject.startsWith('$SRV')),
  ];
}

/** The CLI and people with `nats`: all requests and events, no stream but the events to read. */
function operator(): Permissions {
  return {
    publish: [
      'hf.svc.v1.>',
      '$SRV.>',
      '$JS.API.INFO',
      '$JS.API.STREAM.NAMES',
      '$JS.API.STREAM.LIST',
      '$JS.API.STREAM.INFO.*',
      '$JS.API.CONSUMER.*.HF_EVENT.>',
      '$JS.API.CONSUMER.*.HF_EVENT',
      '$JS.API.CONSUMER.MSG.NEXT.HF_EVENT.>',
      '$JS.API.DIRECT.GET.HF_EVENT.>',
      '$JS.ACK.HF_EVENT.>',
      '$JS.FC.>',
    ],
    subscribe: ['_INBOX.>', read('operator'), 'hf.evt.v1.>'],
  };
}

export interface NatsUser {
  readonly name: string;
  readonly permissions: Permissions;
  /**
   * Answers requests, so it may publish to a request's reply subject, whatever that is: nats-server
   * does not ask whether the requester might. So whoever answers looks first (`isInbox`).
   */
  readonly responds: boolean;
}

/** The users of a cluster with these media servers and clients. */
export function natsUsers(hosts: {
  media: readonly string[];
  clients: readonly string[];
}): NatsUser[] {
  return [
    { name: 'topology', permissions: topology(), responds: false },
    { name: 'policy', permissions: policy(), responds: true },
    { name: 'jobs', permissions: jobs(), responds: true },
    { name: 'broker', permissions: broker(), responds: true },
    { name: 'catalog', permissions: catalog(), responds: true },
    { name: 'operator', permissions: operator(), responds: false },
    ...hosts.media.map((id) => ({ name: `media-${id}`, permissions: media(id), responds: true })),
    ...hosts.clients.map((id) => ({ name: `agent-${id}`, permissions: agent(id), responds: true })),
  ];
}

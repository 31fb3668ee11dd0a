/**
 * How long nats-server lets a request be answered. What comes later never arrives, whatever the asker waits: so
 * it is more than the longest of them do (a whole catalog that is backed up or put back).
 */
export const ANSWER_MS_MAX = 2 * 3_600_000;

/** What a user may publish and subscribe to: subjects, wildcards allowed. Empty means nothing. */
export interface NatsPermissions {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

/** A user of Holdfast's account. */
export interface NatsUserPlan {
  readonly name: string;
  readonly permissions: NatsPermissions;
  /** May answer a request once, on whatever reply subject it names. */
  readonly responds: boolean;
}

export interface NatsUser extends NatsUserPlan {
  /** The public half of its nkey (`U...`). The secret half never reaches the server. */
  readonly nkeyPublic: string;
}

/**
 * The server's user file (`users.conf`, included by `deploy/nats/nats-server.conf`): all of
 * Holdfast's users in one account with JetStream, and one user in the system account, which sees
 * the server's own figures and no message of ours.
 *
 * nats-server reads an empty list as "everything"; here it is written as "nothing".
 */
export function renderNatsUsers(users: readonly NatsUser[], systemKey: string): string {
  return [
    '# Generated at every start from the credentials folder. Changes here do not last.',
    'accounts {',
    '  HOLDFAST {',
    '    jetstream: enabled',
    '    users: [',
    ...users.flatMap(renderUser),
    '    ]',
    '  }',
    '  SYS {',
    '    users: [',
    `      { nkey: ${JSON.stringify(systemKey)} }`,
    '    ]',
    '  }',
    '}',
    'system_account: SYS',
    '',
  ].join('\n');
}

function renderUser(user: NatsUser): string[] {
  return [
    `      { # ${user.name}`,
    `        nkey: ${JSON.stringify(user.nkeyPublic)}`,
    '        permissions {',
    `          publish: ${renderSubjects(user.permissions.publish)}`,
    `          subscribe: ${renderSubjects(user.permissions.subscribe)}`,
    ...(user.responds
      ? [`          allow_responses: { max: 1, expires: "${ANSWER_MS_MAX / 60_000}m" }`]
      : []),
    '        }',
    '      }',
  ];
}

function renderSubjects(subjects: readonly string[]): string {
  return subjects.length === 0 ? '{ deny: [">"] }' : `{ allow: ${JSON.stringify(subjects)} }`;
}

import { join } from 'node:path';
import { z } from 'zod';
import { FRAME_ARCHIVE_BYTES_MAX } from '#archive/frames/frame-table.js';
import { clientName } from '#contracts/names.js';
import { settingFacts } from '#service/settings/setting-facts.js';

const BUFFERS_DEFAULT = 16;
/** A buffer becomes one frame. */
const BUFFER_BYTES_MAX = FRAME_ARCHIVE_BYTES_MAX;

export const agentConfig = z.object({
  /** The client's name, as policies call it. */
  HOLDFAST_CLIENT: clientName,
  /** Where the agent keeps what it remembers of the last backups. */
  HOLDFAST_AGENT_FOLDER: z.string().min(1),
  HOLDFAST_AGENT_HOOKS: z
    .string()
    .startsWith('/', 'is an absolute path')
    .optional()
    .register(settingFacts, {
      name: 'agent.hooks',
      unit: '',
      description:
        'the only folder with commands that a policy may have run around backups; without it, "hooks" in the agent\'s folder',
      settable: false,
      allowed: 'an absolute path',
    }),
  HOLDFAST_AGENT_LEAVE_OUT: z
    .string()
    .default('')
    .transform((text) => text.split(':').filter((path) => path !== ''))
    .register(settingFacts, {
      name: 'agent.leave-out',
      unit: '',
      description: 'folders that are left out of every backup: where backups lie',
      settable: false,
      allowed: 'absolute paths with a colon in between',
    }),
  HOLDFAST_DATA_BUFFERS: z.coerce
    .number()
    .int()
    .min(2)
    .max(1_024)
    .default(BUFFERS_DEFAULT)
    .register(settingFacts, {
      name: 'agent.buffers',
      unit: 'buffers',
      description: 'the ring between reader and sender: how many buffers',
      settable: false,
    }),
  HOLDFAST_DATA_BUFFER_BYTES: z.coerce
    .number()
    .int()
    .min(64 * 1024)
    .max(BUFFER_BYTES_MAX)
    .default(BUFFER_BYTES_MAX)
    .register(settingFacts, {
      name: 'agent.buffer-bytes',
      unit: 'bytes',
      description: 'the size of each of them, and of a frame before it is compressed',
      settable: false,
    }),
});
export type AgentConfigValues = z.output<typeof agentConfig>;

/** The configuration in the units that the code uses; its own injection token. */
export class AgentConfig {
  constructor(private readonly values: AgentConfigValues) {}

  get client(): string {
    return this.values.HOLDFAST_CLIENT;
  }

  get folder(): string {
    return this.values.HOLDFAST_AGENT_FOLDER;
  }

  /** The folder of the commands that a policy may have run. */
  get hooks(): string {
    return this.values.HOLDFAST_AGENT_HOOKS ?? join(this.folder, 'hooks');
  }

  get leaveOut(): readonly string[] {
    return this.values.HOLDFAST_AGENT_LEAVE_OUT;
  }

  get ring(): { readonly buffers: number; readonly bufferBytes: number } {
    const { HOLDFAST_DATA_BUFFERS: buffers, HOLDFAST_DATA_BUFFER_BYTES: bufferBytes } = this.values;
    return { buffers, bufferBytes };
  }
}

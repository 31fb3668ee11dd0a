import { describeSchema } from '../../../../test/support/describe-schema.js';
import { brokerSchema } from './broker-schema.js';

describeSchema(brokerSchema, { table: 'media_server', column: 'volumes', index: 'waiting_turn' });

/** Numbers of the core that graphs need, until its flows are there. */
import * as P from '../protocol.ts';
export const dataflowKind = P.EdgeKindOnSuccess;
export const errorFlowKind = P.EdgeKindOnFailure;
export const disabledCause = 5;
export const disableEdge = 42;

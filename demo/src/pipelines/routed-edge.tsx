/** An edge as it is drawn: round the nodes that lie in its way. */
import { BaseEdge, type EdgeProps, getBezierPath } from '@xyflow/react';
import { memo, useContext } from 'react';
import { laneOf, pathAlong } from './lanes.ts';
import { CanvasContext } from './task-node.tsx';

export const RoutedEdge = memo(function RoutedEdge({ id, sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition, markerEnd, interactionWidth, selected }: EdgeProps) {
  const { boxes } = useContext(CanvasContext)!;
  const [from, to] = [{ x: sourceX, y: sourceY }, { x: targetX, y: targetY }];
  const lane = laneOf(from, to, boxes);
  const path = lane ? pathAlong(from, to, lane) : getBezierPath({ sourceX, sourceY, targetX, targetY, sourcePosition, targetPosition })[0];
  return <BaseEdge id={id} path={path} {...(markerEnd !== undefined && { markerEnd })} interactionWidth={interactionWidth ?? 20} {...(selected && { className: 'selected' })} />;
});

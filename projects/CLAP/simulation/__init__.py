"""A procedural driving world, its sensors, and a writer of the nuScenes v1.0 layout.

The order of work is ``layout`` (roads) -> ``routes`` (drivable paths) -> ``placement`` (everything that stands still)
-> ``actors`` and ``traffic`` (everything that moves) -> ``raycast`` -> ``lidar`` and ``render`` (sensors)
-> ``nuscenes_writer`` (tables and files); ``generate`` runs it scene by scene.

World frame: metres, z up, roads parallel to x and y. Each scene is turned and shifted into its own global frame
only when it is written (``nuscenes_writer``). Vehicles drive on the right. The ground is level
but for kerbs and park hills.

Simplifications against a recording: a sweep and the six images of a keyframe are taken at one instant; cameras are kept
at keyframes only; there is no radar; the measuring car itself returns no points. A scene depends on the seed, its name
and the options alone, not on the other scenes or the number of jobs. Equal bytes are promised on one kind of machine
(Embree and numpy pick their instruction set by the processor).
"""

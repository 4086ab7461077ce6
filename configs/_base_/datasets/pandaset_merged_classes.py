# PandaSet's classes of points merged to the seven that one recording has in every frame.
merged_classes = dict(
    _delete_=True,
    vehicle=[
        'Car', 'Pickup Truck', 'Medium-sized Truck', 'Semi-truck', 'Bus', 'Towed Object',
        'Other Vehicle - Construction Vehicle', 'Other Vehicle - Uncommon', 'Other Vehicle - Pedicab',
        'Emergency Vehicle', 'Train', 'Trolley', 'Tram / Subway',
    ],
    person=[
        'Pedestrian', 'Pedestrian with Object', 'Motorcycle', 'Personal Mobility Device', 'Motorized Scooter',
        'Bicycle',
    ],
    road=['Road', 'Lane Line Marking', 'Stop Line Marking', 'Other Road Marking'],
    other_ground=['Sidewalk', 'Ground', 'Driveway'],
    vegetation=['Vegetation'],
    building=['Building'],
    other_static=[
        'Signs', 'Construction Signs', 'Pylons', 'Road Barriers', 'Cones', 'Temporary Construction Barriers',
        'Rolling Containers', 'Other Static Object',
    ],
)  # fmt: skip

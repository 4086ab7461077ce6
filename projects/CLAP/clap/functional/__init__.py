"""The mathematics of CLAP: one equation, one function. Pure torch; nothing here knows modules, registries or mm*."""

from .bev_sample import sample_bev
from .boxes import box_of_points, inside_box
from .clustering import cluster_centres, soft_label_loss, spread_loss
from .codebook import commitment_loss, ema_update, nearest_codeword, quantize
from .curvature import curvature_weights, sdf_gradient, sdf_normals, secant_curvature, smooth_volume
from .gradient_norms import gradient_norms
from .image_sample import sample_images
from .info_nce import info_nce
from .interpolate import channel_last_table, metres_to_cells, trilinear, trilinear_from_table
from .losses import eikonal_loss, free_space_loss, near_surface_loss, orthogonal_loss, rendering_loss
from .masking import drop_in_bands, mask_image_patches, mask_point_blocks, range_bands
from .nearest_in_cell import nearest_in_cell
from .neus import inverse_std, neus_alpha
from .occupancy_queries import OccupancyQueries, also_queries, occupancy_loss, radius_pairs
from .projection import ProjectedPoints, original_pixels, pixel_rays, project_points, transform_points
from .prototypes import em_loss, gram_loss, similarity, swapped_prediction_loss, unit_spread, usage_perplexity
from .random_draws import gaussian_blur, inclusion_draw, splat_max, uniform, weighted_draw, weighted_draw_rows
from .rank_correlation import rank_correlation
from .ray_sampling import inverse_cdf, merge_sorted, stratified
from .rays import intersect_box, ray_points, rays_to_points
from .shared_rows import shared_rows
from .sinkhorn import sinkhorn, transport_plan
from .sliced_wasserstein import sliced_wasserstein
from .splatting import splat
from .superpixels import mean_by_segment
from .surface_variation import nearest_neighbours, surface_variation
from .volume_rendering import accumulate, midpoints, render_weights, transmittance
from .von_mises_fisher import class_means, directions_and_concentrations, log_normaliser, vmf_loss
from .voxelize import grid_size, voxelize

__all__ = [
    'OccupancyQueries',
    'ProjectedPoints',
    'accumulate',
    'also_queries',
    'box_of_points',
    'channel_last_table',
    'class_means',
    'cluster_centres',
    'commitment_loss',
    'curvature_weights',
    'directions_and_concentrations',
    'drop_in_bands',
    'eikonal_loss',
    'em_loss',
    'ema_update',
    'free_space_loss',
    'gaussian_blur',
    'gradient_norms',
    'gram_loss',
    'grid_size',
    'inclusion_draw',
    'info_nce',
    'inside_box',
    'intersect_box',
    'inverse_cdf',
    'inverse_std',
    'log_normaliser',
    'mask_image_patches',
    'mask_point_blocks',
    'mean_by_segment',
    'merge_sorted',
    'metres_to_cells',
    'midpoints',
    'near_surface_loss',
    'nearest_codeword',
    'nearest_in_cell',
    'nearest_neighbours',
    'neus_alpha',
    'occupancy_loss',
    'original_pixels',
    'orthogonal_loss',
    'pixel_rays',
    'project_points',
    'quantize',
    'radius_pairs',
    'range_bands',
    'rank_correlation',
    'ray_points',
    'rays_to_points',
    'render_weights',
    'rendering_loss',
    'sample_bev',
    'sample_images',
    'sdf_gradient',
    'sdf_normals',
    'secant_curvature',
    'shared_rows',
    'similarity',
    'sinkhorn',
    'sliced_wasserstein',
    'smooth_volume',
    'soft_label_loss',
    'splat',
    'splat_max',
    'spread_loss',
    'stratified',
    'surface_variation',
    'swapped_prediction_loss',
    'transform_points',
    'transmittance',
    'transport_plan',
    'trilinear',
    'trilinear_from_table',
    'uniform',
    'unit_spread',
    'usage_perplexity',
    'vmf_loss',
    'voxelize',
    'weighted_draw',
    'weighted_draw_rows',
]

"""One layer of TransFusion's decoder: object queries look at each other, then at the BEV."""

from __future__ import annotations

from mmcv.cnn.bricks.transformer import FFN
from torch import Tensor, nn

from ...errors import ConfigError


class ResidualAttention(nn.Module):
    """Multi-head attention added to its input; dropout on the weights and on what is added."""

    def __init__(self, embed_dims: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(embed_dims, num_heads, dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, identity: Tensor, query: Tensor, key: Tensor) -> Tensor:
        """All (B, tokens, E); the keys are the values too. Without returned weights torch may use its fused kernel."""
        return identity + self.dropout(self.attn(query, key, key, need_weights=False)[0])


class PositionEmbedding(nn.Module):
    """Conv1d - BN - ReLU - Conv1d, all of kernel 1: positions (B, N, 2) in cells -> (B, E, N)."""

    def __init__(self, embed_dims: int) -> None:
        super().__init__()
        self.position_embedding_head = nn.Sequential(
            nn.Conv1d(2, embed_dims, 1),
            nn.BatchNorm1d(embed_dims),
            nn.ReLU(inplace=True),
            nn.Conv1d(embed_dims, embed_dims, 1),
        )

    def forward(self, positions: Tensor) -> Tensor:
        return self.position_embedding_head(positions.transpose(1, 2).contiguous())


class TransFusionDecoderLayer(nn.Module):
    """Post-norm transformer layer with learnt position embeddings.

    With p and r the embedded positions of queries and keys::

        q <- LN(q + self_attn(q + p, q + p, q + p))
        q <- LN(q + cross_attn(q + p, k + r, k + r))
        q <- LN(q + ffn(q))

    The positions are part of the *values* too, unlike in DETR. Entries of the
    state dict carry BEVFusion's names. Xavier-uniform initialisation of
    everything with two or more dimensions.

    Args:
        embed_dims: E, channels of queries and keys.
        num_heads: attention heads; divides ``embed_dims``.
        feedforward_channels: hidden width of the feed-forward network.
        dropout: on the attention weights and on what an attention adds.
        ffn_drop: after both linear layers of the feed-forward network.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int = 8,
        feedforward_channels: int = 256,
        dropout: float = 0.1,
        ffn_drop: float = 0.1,
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ConfigError(f'decoder_layer.num_heads must divide hidden_channel {embed_dims}, got {num_heads}')

        self.self_attn = ResidualAttention(embed_dims, num_heads, dropout)
        self.cross_attn = ResidualAttention(embed_dims, num_heads, dropout)
        self.ffn = FFN(
            embed_dims, feedforward_channels, num_fcs=2, act_cfg=dict(type='ReLU', inplace=True), ffn_drop=ffn_drop
        )
        self.norms = nn.ModuleList(nn.LayerNorm(embed_dims) for _ in range(3))
        self.self_posembed, self.cross_posembed = PositionEmbedding(embed_dims), PositionEmbedding(embed_dims)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, query: Tensor, key: Tensor, query_pos: Tensor, key_pos: Tensor) -> Tensor:
        """query (B, E, P), key (B, E, N), query_pos (B, P, 2), key_pos (B, N, 2) in cells -> (B, E, P)."""
        query_embed = self.self_posembed(query_pos).transpose(1, 2)
        key = (key + self.cross_posembed(key_pos)).transpose(1, 2)
        query = query.transpose(1, 2)
        placed = query + query_embed
        query = self.norms[0](self.self_attn(query, placed, placed))
        query = self.norms[1](self.cross_attn(query, query + query_embed, key))
        return self.norms[2](self.ffn(query)).transpose(1, 2)
